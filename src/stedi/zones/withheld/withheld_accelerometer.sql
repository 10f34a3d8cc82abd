-- Accelerometer records that did not make it into accelerometer_trusted, by reason. Grain: reason.
-- Duplicates are counted from landing alone, so that the books can fail to balance: kept + withheld = landed.
WITH judged AS (
  SELECT
    a."user",
    a."timestamp",
    a."x",
    a."y",
    a."z",
    CASE
      WHEN h."customer" IS NULL THEN 'unknown customer'
      WHEN c."customer" IS NULL THEN 'no consent'
      WHEN a."timestamp" < c."usableSince" THEN 'before consent'
    END AS "reason"
  FROM accelerometer_landing AS a
  LEFT JOIN customer_holding AS h ON h."customer" = a."_customer"
  LEFT JOIN customer_trusted AS c ON c."customer" = h."customer"
),
copies AS (
  SELECT count(*) - 1 AS "more"
  FROM judged AS j
  INNER JOIN repeated_readings AS r ON r."mark" = hash(j."user", j."timestamp", j."x", j."y", j."z")
  WHERE j."reason" IS NULL
  GROUP BY j."user", j."timestamp", j."x", j."y", j."z"
  HAVING count(*) > 1
)
SELECT j."reason", count(*) AS "records"
FROM judged AS j
WHERE j."reason" IS NOT NULL
GROUP BY j."reason"
UNION ALL
SELECT 'duplicate' AS "reason", CAST(coalesce(sum(c."more"), 0) AS BIGINT) AS "records"
FROM copies AS c
