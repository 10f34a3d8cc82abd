-- What a step detector is trained on: device and phone readings of the same instant and the same person, under pseudonyms (SPEC 4).
-- A pseudonym is HMAC-SHA-256(key, kind:value) = H(outer pad || H(inner pad || kind:value)), RFC 2104; the pads carry the key.
WITH sessions_named AS (
  SELECT
    d."serialNumber",
    d."sessionStart",
    sha256(k."outerPad" || unhex(sha256(k."innerPad" || encode('subject:' || d."customer")))) AS "subjectId",
    sha256(k."outerPad" || unhex(sha256(k."innerPad" || encode('device:' || d."serialNumber")))) AS "deviceId",
    sha256(k."outerPad" || unhex(sha256(k."innerPad" || encode(
      'session:' || d."serialNumber" || ':' || CAST(d."sessionStart" AS VARCHAR)
    )))) AS "sessionId"
  FROM device_sessions AS d
  CROSS JOIN pseudonym_key AS k
  WHERE d."status" = 'assigned'
)
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
INNER JOIN sessions_named AS n ON n."serialNumber" = s."serialNumber" AND n."sessionStart" = s."sessionStart"
