-- What was known of each customer's decision to share with research, from when, and from which record (SPEC 2 and 6).
-- Grain: customer and the run that changed it. It follows from customer_landing alone, customer by customer.
-- 1. A customer's records are ranked as in customer_holding; what else decides there makes no difference to the columns here.
-- 2. Read in the order of the runs, a record holds from its run on if it ranks before all that were known until then.
-- 3. It gives a row if it is the first, or if the decision or its instant differs from what was known before.
-- Most customers have one record, which is their history: only the others go through windows.
WITH records AS (
  SELECT
    l."_customer" AS "customer",
    CASE WHEN l."shareWithResearchAsOfDate" > 0 THEN l."shareWithResearchAsOfDate" END AS "consent",
    l."registrationDate",
    l."lastUpdateDate",
    l."_source_file",
    l."_source_line",
    l."_ingested_at"
  FROM customer_landing AS l
),
several AS (
  SELECT r."customer"
  FROM records AS r
  GROUP BY r."customer"
  HAVING count(*) > 1
),
ranked AS (
  SELECT
    r."customer",
    r."consent",
    r."lastUpdateDate",
    r."_source_file",
    r."_source_line",
    r."_ingested_at",
    row_number() OVER (
      PARTITION BY r."customer"
      ORDER BY
        r."lastUpdateDate" DESC NULLS LAST,
        r."registrationDate" DESC NULLS LAST,
        r."_ingested_at" DESC,
        r."_source_file" DESC,
        r."_source_line" DESC,
        CASE WHEN r."consent" IS NULL THEN 0 ELSE 1 END,
        r."consent" DESC NULLS LAST
    ) AS "rank"
  FROM records AS r
  WHERE EXISTS (SELECT 1 FROM several AS s WHERE s."customer" = r."customer")
),
held AS (
  SELECT
    r."customer",
    r."consent",
    r."lastUpdateDate",
    r."_source_file",
    r."_source_line",
    r."_ingested_at"
  FROM ranked AS r
  QUALIFY r."rank" = min(r."rank") OVER (
    PARTITION BY r."customer" ORDER BY r."_ingested_at", r."rank" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  )
),
followed AS (
  SELECT
    h."customer",
    h."consent",
    h."lastUpdateDate",
    h."_source_file",
    h."_source_line",
    h."_ingested_at",
    lag(h."consent") OVER (PARTITION BY h."customer" ORDER BY h."_ingested_at") AS "consentBefore",
    row_number() OVER (PARTITION BY h."customer" ORDER BY h."_ingested_at") AS "number"
  FROM held AS h
)
SELECT
  f."customer",
  CASE
    WHEN f."consent" IS NOT NULL AND f."consentBefore" IS NOT NULL THEN 'instant changed'
    WHEN f."consent" IS NOT NULL THEN 'consented'
    WHEN f."number" > 1 THEN 'withdrew'
    ELSE 'not given'
  END AS "decision",
  f."consent" AS "shareWithResearchAsOfDate",
  f."lastUpdateDate",
  f."_source_file",
  f."_source_line",
  f."_ingested_at"
FROM followed AS f
WHERE f."number" = 1 OR coalesce(f."consent", 0) <> coalesce(f."consentBefore", 0)
UNION ALL
SELECT
  r."customer",
  CASE WHEN r."consent" IS NOT NULL THEN 'consented' ELSE 'not given' END AS "decision",
  r."consent" AS "shareWithResearchAsOfDate",
  r."lastUpdateDate",
  r."_source_file",
  r."_source_line",
  r."_ingested_at"
FROM records AS r
WHERE NOT EXISTS (SELECT 1 FROM several AS s WHERE s."customer" = r."customer")
