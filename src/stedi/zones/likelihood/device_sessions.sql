-- Who used which device when, by likelihood (docs/decisions/0002; the setting identity_rule).
-- 1. A pair of session and customer is a candidate when chance alone would hardly match so many instants (M >= 3, evidence >= 3); where a
--    session has none, the one customer to whom the device is registered stands in with M of 1 or 2 and J >= 0.8.
-- 2. A candidate meets every other pair of the session that matches better than by chance (those session_evidence holds), and
--    every such pair of the customer whose session overlaps it by any clock. It outdoes one that does clearly worse: J is greater, and the two shares M of D + A - M differ by more than luck explains (chi-square), or
--    the candidate matches perfectly while the other left at least two instants out.
-- 3. Where neither is clearly worse, the registration decides, never against an eligible pair.
-- 4. A session is assigned to the candidate that outdoes all it meets; with candidates but no such one it is ambiguous.
WITH sole_holders AS (
  SELECT h."serialNumber", min(h."customer") AS "customer"
  FROM customer_holding AS h
  WHERE h."serialNumber" IS NOT NULL
  GROUP BY h."serialNumber"
  HAVING count(*) = 1
),
pairs AS (
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
    e."deviceReadings" - e."matches" AS "deviceAlone",
    e."customerReadings" - e."matches" AS "customerAlone",
    CAST(e."matches" AS DOUBLE) AS "shared",
    CAST(e."deviceReadings" + e."customerReadings" - 2 * e."matches" AS DOUBLE) AS "alone",
    CASE WHEN e."matches" >= s."minMatches" AND e."evidence" >= s."minEvidence" THEN 1 ELSE 0 END AS "eligible",
    CASE WHEN h."customer" IS NULL THEN 0 ELSE 1 END AS "holder"
  FROM session_evidence AS e
  CROSS JOIN settings AS s
  LEFT JOIN sole_holders AS h ON h."serialNumber" = e."serialNumber" AND h."customer" = e."customer"
),
candidates AS (
  SELECT
    p."serialNumber",
    p."sessionStart",
    p."customer",
    row_number() OVER (
      PARTITION BY p."serialNumber", p."sessionStart"
      ORDER BY p."eligible" DESC, p."jaccard" DESC, p."matches" DESC, p."holder" DESC, p."customer"
    ) AS "place"
  FROM pairs AS p
  CROSS JOIN settings AS s
  WHERE p."eligible" = 1 OR (p."holder" = 1 AND p."matches" < s."minMatches" AND p."jaccard" >= s."minJaccard")
  QUALIFY p."eligible" = max(p."eligible") OVER (PARTITION BY p."serialNumber", p."sessionStart")
),
meetings AS (
  SELECT
    p."serialNumber", p."sessionStart", p."customer", p."shared", p."alone", p."eligible", p."holder",
    o."shared" AS "otherShared", o."alone" AS "otherAlone", o."eligible" AS "otherEligible", o."holder" AS "otherHolder",
    p."customerAlone" AS "leftOut", o."customerAlone" AS "otherLeftOut",
    o."customer" AS "rival"
  FROM pairs AS p
  INNER JOIN pairs AS o ON o."serialNumber" = p."serialNumber" AND o."sessionStart" = p."sessionStart"
  WHERE o."customer" <> p."customer"
  UNION ALL
  SELECT
    p."serialNumber", p."sessionStart", p."customer", p."shared", p."alone", p."eligible", p."holder",
    o."shared" AS "otherShared", o."alone" AS "otherAlone", o."eligible" AS "otherEligible", o."holder" AS "otherHolder",
    p."deviceAlone" AS "leftOut", o."deviceAlone" AS "otherLeftOut",
    NULL AS "rival"
  FROM pairs AS p
  CROSS JOIN settings AS s
  INNER JOIN pairs AS o ON o."customer" = p."customer"
  WHERE o."sessionStart" <= p."sessionEnd" + s."rivalMs"
    AND o."sessionEnd" >= p."sessionStart" - s."rivalMs"
    AND (o."serialNumber" <> p."serialNumber" OR o."sessionStart" <> p."sessionStart")
),
compared AS (
  SELECT
    m."serialNumber",
    m."sessionStart",
    m."customer",
    m."rival",
    m."holder" > m."otherHolder" AND m."eligible" >= m."otherEligible" AS "registered",
    m."shared" * m."otherAlone" > m."otherShared" * m."alone" AS "better",
    m."shared" * m."otherAlone" < m."otherShared" * m."alone" AS "worse",
    (m."shared" * m."otherAlone" - m."otherShared" * m."alone") * (m."shared" * m."otherAlone" - m."otherShared" * m."alone")
      * (m."shared" + m."alone" + m."otherShared" + m."otherAlone")
      >= s."minMargin" * (m."shared" + m."otherShared") * (m."alone" + m."otherAlone")
      * (m."shared" + m."alone") * (m."otherShared" + m."otherAlone") AS "unlike",
    m."alone" = 0 AND m."shared" >= 10 AND m."otherLeftOut" >= 2 AS "perfect",
    m."otherAlone" = 0 AND m."otherShared" >= 10 AND m."leftOut" >= 2 AS "otherPerfect"
  FROM meetings AS m
  CROSS JOIN settings AS s
),
outcomes AS (
  SELECT
    c."serialNumber",
    c."sessionStart",
    c."customer",
    c."rival",
    CASE
      WHEN c."better" AND (c."unlike" OR c."perfect") THEN 2
      WHEN c."registered" AND NOT (c."worse" AND (c."unlike" OR c."otherPerfect")) THEN 1
      ELSE 0
    END AS "outcome"
  FROM compared AS c
),
summed AS (
  SELECT
    o."serialNumber",
    o."sessionStart",
    o."customer",
    min(o."outcome") AS "worst",
    min(CASE WHEN o."outcome" = 0 THEN o."rival" END) AS "rival"
  FROM outcomes AS o
  GROUP BY o."serialNumber", o."sessionStart", o."customer"
),
judged AS (
  SELECT
    c."serialNumber",
    c."sessionStart",
    c."customer",
    coalesce(u."worst", 2) AS "worst",
    u."rival"
  FROM candidates AS c
  LEFT JOIN summed AS u
    ON u."serialNumber" = c."serialNumber" AND u."sessionStart" = c."sessionStart" AND u."customer" = c."customer"
  QUALIFY row_number() OVER (
    PARTITION BY c."serialNumber", c."sessionStart"
    ORDER BY CASE WHEN coalesce(u."worst", 2) > 0 THEN 0 ELSE 1 END, c."place"
  ) = 1
)
SELECT
  p."serialNumber",
  p."sessionStart",
  p."sessionEnd",
  CASE WHEN j."worst" > 0 THEN 'assigned' ELSE 'ambiguous' END AS "status",
  CASE
    WHEN j."worst" > 0 AND (j."worst" = 1 OR p."eligible" = 0) THEN 'registration'
    WHEN j."worst" > 0 THEN 'evidence'
    WHEN j."rival" IS NOT NULL THEN 'tie'
    ELSE 'choice not mutual'
  END AS "reason",
  CASE WHEN j."worst" > 0 THEN p."customer" END AS "customer",
  j."worst" = 1 OR (j."worst" > 0 AND p."eligible" = 0) AS "registered",
  p."matches",
  p."deviceReadings",
  p."customerReadings",
  p."jaccard",
  p."clockOffsetMs",
  p."evidence",
  CASE WHEN j."worst" = 0 THEN p."customer" END AS "candidate",
  CASE WHEN j."worst" = 0 THEN j."rival" END AS "rival"
FROM judged AS j
INNER JOIN pairs AS p
  ON p."serialNumber" = j."serialNumber" AND p."sessionStart" = j."sessionStart" AND p."customer" = j."customer"
