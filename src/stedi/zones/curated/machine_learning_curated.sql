-- What a step detector is trained on: device and phone readings of the same instant and the same person, under pseudonyms (SPEC 4).
SELECT
  n."subjectId",
  n."deviceId",
  n."sessionId",
  s."sensorReadingTime",
  s."distanceFromObject",
  a."x",
  a."y",
  a."z"
FROM step_trainer_trusted AS s
INNER JOIN accelerometer_trusted AS a ON a."customer" = s."customer" AND a."timestamp" = s."phoneTime"
INNER JOIN session_pseudonyms AS n ON n."serialNumber" = s."serialNumber" AND n."sessionStart" = s."sessionStart"
