-- New readings of customers whose old ones stand. Grain: landing row.
SELECT
  l."_customer",
  l."user",
  l."timestamp",
  l."x",
  l."y",
  l."z"
FROM added_accelerometer_landing AS l
WHERE NOT EXISTS (SELECT 1 FROM moved_customers AS m WHERE m."customer" = l."_customer")
