-- Consenting customers who have a usable reading, with the device of their latest assigned session beside the registered one (SPEC 4).
WITH devices AS (
  SELECT
    d."customer",
    d."serialNumber",
    row_number() OVER (PARTITION BY d."customer" ORDER BY d."sessionStart" DESC, d."serialNumber" DESC) AS "latest"
  FROM device_sessions AS d
  WHERE d."status" = 'assigned'
),
device_counts AS (
  SELECT
    d."customer",
    max(CASE WHEN d."latest" = 1 THEN d."serialNumber" END) AS "serialNumber",
    count(DISTINCT d."serialNumber") AS "devices"
  FROM devices AS d
  GROUP BY d."customer"
)
SELECT
  c."customer",
  c."customerName",
  c."email",
  c."phone",
  c."birthDay",
  c."serialNumber",
  c."registrationDate",
  c."lastUpdateDate",
  c."shareWithResearchAsOfDate",
  c."shareWithPublicAsOfDate",
  c."shareWithFriendsAsOfDate",
  d."serialNumber" AS "assignedSerialNumber",
  coalesce(d."devices", 0) AS "assignedDevices"
FROM customer_trusted AS c
LEFT JOIN device_counts AS d ON d."customer" = c."customer"
WHERE EXISTS (SELECT 1 FROM accelerometer_trusted AS a WHERE a."customer" = c."customer")
