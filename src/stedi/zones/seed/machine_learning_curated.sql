-- Under `seed`: joined on the instant alone, with the source identifiers, as in the project that this one started from (SPEC 3).
SELECT
  s."sensorReadingTime",
  s."serialNumber",
  s."distanceFromObject",
  a."user",
  a."timestamp",
  a."x",
  a."y",
  a."z"
FROM step_trainer_trusted AS s
INNER JOIN accelerometer_trusted AS a ON a."timestamp" = s."sensorReadingTime"
