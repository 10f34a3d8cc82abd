-- The usable readings of consenting customers; a reading that was delivered twice is one reading (SPEC 2 and 3).
SELECT DISTINCT
  c."customer",
  a."user",
  a."timestamp",
  a."x",
  a."y",
  a."z"
FROM accelerometer_landing AS a
INNER JOIN customer_trusted AS c
  ON c."customer" = a."_customer"
WHERE a."timestamp" >= c."usableSince"
