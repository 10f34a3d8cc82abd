-- New readings of customers whose old ones stand. Grain: landing row.
SELECT
  lower(trim(l."user", concat(' ', chr(9), chr(10), chr(13)))) AS "customer",
  l."user",
  l."timestamp",
  l."x",
  l."y",
  l."z"
FROM added_accelerometer_landing AS l
WHERE NOT EXISTS (SELECT 1 FROM moved_customers AS m WHERE m."customer" = lower(trim(l."user", concat(' ', chr(9), chr(10), chr(13)))))
