-- The pseudonyms of the devices in scope, as in machine_learning_curated. Grain: device.
SELECT
  sha256(k."outerPad" || unhex(sha256(k."innerPad" || encode('device:' || d."serialNumber")))) AS "deviceId"
FROM scope_devices AS d
CROSS JOIN pseudonym_key AS k
