-- The readings of assigned sessions, taken when the customer's readings may be used; delivered twice they are one (SPEC 2 to 5).
-- The rows of a person should lie together: they compress several times better, and few files are written anew when the person withdraws.
-- So they are sorted, by numbers and before the names are joined, which takes a third of the time.
WITH usable AS (
  SELECT
    l."sensorReadingTime",
    l."distanceFromObject",
    u."deviceNumber",
    u."customerNumber",
    u."sessionStart",
    u."phoneTime",
    hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject") AS "mark"
  FROM step_trainer_landing AS l
  INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
  INNER JOIN usable_instants AS u ON u."deviceNumber" = n."deviceNumber" AND u."instant" = l."sensorReadingTime"
),
kept AS (
  SELECT l."sensorReadingTime", l."distanceFromObject", l."deviceNumber", l."customerNumber", l."sessionStart", l."phoneTime"
  FROM usable AS l
  LEFT JOIN repeated_steps AS r ON r."mark" = l."mark"
  WHERE r."mark" IS NULL
  UNION ALL
  SELECT DISTINCT l."sensorReadingTime", l."distanceFromObject", l."deviceNumber", l."customerNumber", l."sessionStart", l."phoneTime"
  FROM usable AS l
  INNER JOIN repeated_steps AS r ON r."mark" = l."mark"
),
sorted AS (
  SELECT k."sensorReadingTime", k."distanceFromObject", k."deviceNumber", k."customerNumber", k."sessionStart", k."phoneTime"
  FROM kept AS k
  ORDER BY k."customerNumber", k."deviceNumber", k."sensorReadingTime"
)
SELECT
  s."sensorReadingTime",
  n."serialNumber",
  s."distanceFromObject",
  c."customer",
  s."sessionStart",
  s."phoneTime"
FROM sorted AS s
INNER JOIN device_numbers AS n ON n."deviceNumber" = s."deviceNumber"
INNER JOIN customer_numbers AS c ON c."customerNumber" = s."customerNumber"
