-- The sessions of the candidate devices. Grain: device, sessionStart.
SELECT
  i."deviceNumber",
  i."sessionStart",
  max(i."instant") AS "sessionEnd",
  count(*) AS "readings"
FROM session_instants AS i
GROUP BY i."deviceNumber", i."sessionStart"
