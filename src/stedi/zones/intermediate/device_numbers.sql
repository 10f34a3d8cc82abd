-- Devices by number, as in customer_numbers. Grain: device.
SELECT
  d."serialNumber",
  CAST(row_number() OVER (ORDER BY d."serialNumber") AS INTEGER) AS "deviceNumber"
FROM (SELECT DISTINCT l."serialNumber" FROM step_trainer_landing AS l) AS d
