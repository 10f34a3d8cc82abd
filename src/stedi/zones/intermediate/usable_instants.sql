-- The instants of assigned sessions that may be used, whose they are, and the phone's instant that matches. Grain: device, instant.
SELECT
  i."deviceNumber",
  i."sessionStart",
  i."instant",
  i."customerNumber",
  m."phoneTime"
FROM decided_instants AS i
LEFT JOIN instant_matches AS m
  ON m."deviceNumber" = i."deviceNumber" AND m."sessionStart" = i."sessionStart"
  AND m."customerNumber" = i."customerNumber" AND m."deviceTime" = i."instant"
WHERE i."reason" IS NULL
