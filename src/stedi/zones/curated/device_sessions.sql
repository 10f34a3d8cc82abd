-- Who used which device when (SPEC 5).
-- 1. A pair of session and customer is a candidate when it is eligible (M >= 3 and J >= 0.8), or when the serial number is registered to
--    that one customer and only the number of matches is too small: that stands in where a session has no eligible pair.
-- 2. Pairs rank by: eligible before stand-in, J, M, and registered before not registered.
-- 3. A session is assigned when one customer ranks first, and that customer ranks no overlapping session as high; else it is ambiguous.
WITH sole_holders AS (
  SELECT h."serialNumber", min(h."customer") AS "customer"
  FROM customer_holding AS h
  WHERE h."serialNumber" IS NOT NULL
  GROUP BY h."serialNumber"
  HAVING count(*) = 1
),
candidates AS (
  SELECT
    e."serialNumber",
    e."sessionStart",
    e."sessionEnd",
    e."customer",
    e."matches",
    e."deviceReadings",
    e."customerReadings",
    e."jaccard",
    e."clockOffsetMs",
    e."evidence",
    CASE WHEN e."matches" >= s."minMatches" THEN 1 ELSE 0 END AS "eligible",
    CASE WHEN h."customer" IS NULL THEN 0 ELSE 1 END AS "holder"
  FROM session_evidence AS e
  CROSS JOIN settings AS s
  LEFT JOIN sole_holders AS h ON h."serialNumber" = e."serialNumber" AND h."customer" = e."customer"
  WHERE e."matches" >= s."minMatches" OR h."customer" IS NOT NULL
  QUALIFY CASE WHEN e."matches" >= s."minMatches" THEN 1 ELSE 0 END
    = max(CASE WHEN e."matches" >= s."minMatches" THEN 1 ELSE 0 END) OVER (PARTITION BY e."serialNumber", e."sessionStart")
),
ranked AS (
  SELECT
    c."serialNumber",
    c."sessionStart",
    c."sessionEnd",
    c."customer",
    c."matches",
    c."deviceReadings",
    c."customerReadings",
    c."jaccard",
    c."clockOffsetMs",
    c."evidence",
    c."eligible",
    rank() OVER (
      PARTITION BY c."serialNumber", c."sessionStart"
      ORDER BY c."eligible" DESC, c."jaccard" DESC, c."matches" DESC, c."holder" DESC
    ) AS "sessionRank",
    rank() OVER (
      PARTITION BY c."serialNumber", c."sessionStart"
      ORDER BY c."eligible" DESC, c."jaccard" DESC, c."matches" DESC
    ) AS "sessionEvidenceRank",
    rank() OVER (
      PARTITION BY c."customer"
      ORDER BY c."eligible" DESC, c."jaccard" DESC, c."matches" DESC, c."holder" DESC
    ) AS "customerRank",
    rank() OVER (
      PARTITION BY c."customer"
      ORDER BY c."eligible" DESC, c."jaccard" DESC, c."matches" DESC
    ) AS "customerEvidenceRank"
  FROM candidates AS c
),
firsts AS (
  SELECT
    r."serialNumber",
    r."sessionStart",
    min(CASE WHEN r."sessionRank" = 1 THEN r."customer" END) AS "customer",
    max(CASE WHEN r."sessionRank" = 1 THEN r."customer" END) AS "rival",
    count(CASE WHEN r."sessionRank" = 1 THEN 1 END) AS "count",
    count(CASE WHEN r."sessionEvidenceRank" = 1 THEN 1 END) AS "evidenceCount"
  FROM ranked AS r
  GROUP BY r."serialNumber", r."sessionStart"
),
overlapping AS (
  SELECT
    f."serialNumber",
    f."sessionStart",
    count(CASE WHEN o."customerRank" <= r."customerRank" THEN 1 END) AS "asGood",
    count(CASE WHEN o."customerEvidenceRank" = r."customerEvidenceRank" THEN 1 END) AS "tied"
  FROM firsts AS f
  INNER JOIN ranked AS r
    ON r."serialNumber" = f."serialNumber" AND r."sessionStart" = f."sessionStart" AND r."customer" = f."customer"
  INNER JOIN ranked AS o
    ON o."customer" = r."customer" AND o."sessionStart" <= r."sessionEnd" AND o."sessionEnd" >= r."sessionStart"
  WHERE o."serialNumber" <> r."serialNumber"
  GROUP BY f."serialNumber", f."sessionStart"
),
decided AS (
  SELECT
    r."serialNumber",
    r."sessionStart",
    r."sessionEnd",
    r."customer",
    r."matches",
    r."deviceReadings",
    r."customerReadings",
    r."jaccard",
    r."clockOffsetMs",
    r."evidence",
    CASE WHEN f."count" > 1 THEN f."rival" END AS "rival",
    f."count" = 1 AND coalesce(o."asGood", 0) = 0 AS "assigned",
    f."count" > 1 AS "tie",
    r."eligible" = 0 OR f."evidenceCount" > 1 OR coalesce(o."tied", 0) > 0 AS "byRegistration"
  FROM firsts AS f
  INNER JOIN ranked AS r
    ON r."serialNumber" = f."serialNumber" AND r."sessionStart" = f."sessionStart" AND r."customer" = f."customer"
  LEFT JOIN overlapping AS o ON o."serialNumber" = f."serialNumber" AND o."sessionStart" = f."sessionStart"
)
SELECT
  d."serialNumber",
  d."sessionStart",
  d."sessionEnd",
  CASE WHEN d."assigned" THEN 'assigned' ELSE 'ambiguous' END AS "status",
  CASE
    WHEN d."assigned" AND d."byRegistration" THEN 'registration'
    WHEN d."assigned" THEN 'evidence'
    WHEN d."tie" THEN 'tie'
    ELSE 'choice not mutual'
  END AS "reason",
  CASE WHEN d."assigned" THEN d."customer" END AS "customer",
  d."assigned" AND d."byRegistration" AS "registered",
  d."matches",
  d."deviceReadings",
  d."customerReadings",
  d."jaccard",
  d."clockOffsetMs",
  d."evidence",
  CASE WHEN NOT d."assigned" THEN d."customer" END AS "candidate",
  d."rival"
FROM decided AS d
