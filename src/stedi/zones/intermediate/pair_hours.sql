-- The hours by the phone's clock that a session spans, for each customer it is compared with. Grain: device, sessionStart, customer, hour.
-- A session has no gap longer than an hour (or the session gap), so the hours of its readings are all of them. Joining on customer and hour
-- finds the customer's instants in the window without looking at all that the customer ever did. Kept as a table of its own, so that no
-- optimizer joins sessions and customers on the hour alone.
SELECT DISTINCT
  p."deviceNumber",
  p."sessionStart",
  p."sessionEnd",
  p."customerNumber",
  p."windowStart",
  p."clockOffsetMs",
  (i."instant" + p."clockOffsetMs" + r."step" * s."edgeMs") // s."hourMs" AS "hour"
FROM session_pairs AS p
INNER JOIN session_instants AS i ON i."deviceNumber" = p."deviceNumber" AND i."sessionStart" = p."sessionStart"
CROSS JOIN settings AS s
CROSS JOIN reach AS r
