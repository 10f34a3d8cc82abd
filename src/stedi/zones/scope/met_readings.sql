-- Usable readings that a new one may repeat: same customer, same instant. Grain: reading.
SELECT
  t."customer",
  t."customer" AS "_customer",
  t."user",
  t."timestamp",
  t."x",
  t."y",
  t."z",
  t."_file",
  t."_row"
FROM before_accelerometer_trusted AS t
WHERE EXISTS (SELECT 1 FROM arrived_readings AS n WHERE n."_customer" = t."customer" AND n."timestamp" = t."timestamp")
