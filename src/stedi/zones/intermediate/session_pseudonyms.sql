-- The pseudonyms of each assigned session (SPEC 4). Grain: device, sessionStart.
-- A pseudonym is HMAC-SHA-256(key, kind:value) = H(outer pad || H(inner pad || kind:value)), RFC 2104; the pads carry the key.
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
