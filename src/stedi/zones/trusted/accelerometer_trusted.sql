-- The usable readings of consenting customers; a reading that was delivered twice is one reading (SPEC 2 and 3).
SELECT
  c."customer",
  a."user",
  a."timestamp",
  a."x",
  a."y",
  a."z"
FROM accelerometer_landing AS a
INNER JOIN customer_trusted AS c ON c."customer" = a."_customer"
LEFT JOIN repeated_readings AS r ON r."mark" = hash(a."user", a."timestamp", a."x", a."y", a."z")
WHERE a."timestamp" >= c."usableSince" AND r."mark" IS NULL
UNION ALL
SELECT DISTINCT
  c."customer",
  a."user",
  a."timestamp",
  a."x",
  a."y",
  a."z"
FROM accelerometer_landing AS a
INNER JOIN customer_trusted AS c ON c."customer" = a."_customer"
INNER JOIN repeated_readings AS r ON r."mark" = hash(a."user", a."timestamp", a."x", a."y", a."z")
WHERE a."timestamp" >= c."usableSince"
