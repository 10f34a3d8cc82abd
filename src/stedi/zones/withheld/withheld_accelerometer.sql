-- Accelerometer records that did not make it into accelerometer_trusted, by reason. Grain: reason.
-- Duplicates are counted from landing alone, so that the books can fail to balance: kept + withheld = landed.
WITH known AS (
  SELECT h."customer", c."usableSince"
  FROM customer_holding AS h
  LEFT JOIN customer_trusted AS c ON c."customer" = h."customer"
),
judged AS (
  SELECT
    CASE
      WHEN k."customer" IS NULL THEN 'unknown customer'
      WHEN k."usableSince" IS NULL THEN 'no consent'
      WHEN a."timestamp" < k."usableSince" THEN 'before consent'
    END AS "reason"
  FROM accelerometer_landing AS a
  LEFT JOIN known AS k ON k."customer" = a."_customer"
),
copies AS (
  SELECT count(*) - 1 AS "more"
  FROM accelerometer_landing AS a
  INNER JOIN repeated_readings AS r ON r."mark" = hash(a."user", a."timestamp", a."x", a."y", a."z")
  INNER JOIN customer_trusted AS c ON c."customer" = a."_customer"
  WHERE a."timestamp" >= c."usableSince"
  GROUP BY a."user", a."timestamp", a."x", a."y", a."z"
  HAVING count(*) > 1
)
SELECT j."reason", count(*) AS "records"
FROM judged AS j
WHERE j."reason" IS NOT NULL
GROUP BY j."reason"
UNION ALL
SELECT 'duplicate' AS "reason", CAST(coalesce(sum(c."more"), 0) AS BIGINT) AS "records"
FROM copies AS c
