-- The evidence for each session and customer who reported an instant together: M, D, A and J of SPEC 5, and how surprising it is that so
-- many instants match (docs/decisions/0002). Grain: device, sessionStart, customer.
-- "evidence" is the number of zeros in the odds that somebody else's phone would match so many of the D instants: -log10 of Chernoff's bound
-- exp(-D * surprise) on the binomial tail, times the offsets that were tried. It is cut to thousandths, so that engines agree on it.
WITH before_window AS (
  SELECT p."deviceNumber", p."sessionStart", p."customerNumber", count(*) AS "readings"
  FROM session_pairs AS p
  INNER JOIN session_instants AS i ON i."deviceNumber" = p."deviceNumber" AND i."sessionStart" = p."sessionStart"
  WHERE p."windowStart" > p."sessionStart" AND i."instant" < p."windowStart"
  GROUP BY p."deviceNumber", p."sessionStart", p."customerNumber"
),
phone_hours AS (
  SELECT p."customerNumber", p."instant", p."instant" // s."hourMs" AS "hour"
  FROM phone_instants AS p
  CROSS JOIN settings AS s
),
in_window AS (
  SELECT h."deviceNumber", h."sessionStart", h."customerNumber", count(*) AS "readings"
  FROM pair_hours AS h
  INNER JOIN phone_hours AS i ON i."customerNumber" = h."customerNumber" AND i."hour" = h."hour"
  CROSS JOIN settings AS s
  WHERE i."instant" BETWEEN h."windowStart" + h."clockOffsetMs" - s."edgeMs" AND h."sessionEnd" + h."clockOffsetMs" + s."edgeMs"
  GROUP BY h."deviceNumber", h."sessionStart", h."customerNumber"
),
counted AS (
  SELECT
    p."deviceNumber",
    p."sessionStart",
    p."sessionEnd",
    p."customerNumber",
    p."clockOffsetMs",
    p."matches",
    p."readings" - coalesce(b."readings", 0) AS "deviceReadings",
    a."readings" AS "customerReadings",
    p."sessionEnd" - p."windowStart" + 1 AS "windowMs"
  FROM session_pairs AS p
  INNER JOIN in_window AS a
    ON a."deviceNumber" = p."deviceNumber" AND a."sessionStart" = p."sessionStart" AND a."customerNumber" = p."customerNumber"
  LEFT JOIN before_window AS b
    ON b."deviceNumber" = p."deviceNumber" AND b."sessionStart" = p."sessionStart" AND b."customerNumber" = p."customerNumber"
),
shares AS (
  SELECT
    c."deviceNumber",
    c."sessionStart",
    c."customerNumber",
    CAST(c."matches" AS DOUBLE) / c."deviceReadings" AS "share",
    CAST(s."coverMs" AS DOUBLE) * c."customerReadings" / c."windowMs" AS "chance"
  FROM counted AS c
  CROSS JOIN settings AS s
),
surprises AS (
  SELECT
    f."deviceNumber",
    f."sessionStart",
    f."customerNumber",
    CASE
      WHEN f."share" <= f."chance" OR f."chance" >= 1 THEN 0
      WHEN f."share" >= 1 THEN -ln(f."chance")
      ELSE f."share" * ln(f."share" / f."chance") + (1 - f."share") * ln((1 - f."share") / (1 - f."chance"))
    END AS "surprise"
  FROM shares AS f
)
SELECT
  c."deviceNumber",
  c."sessionStart",
  c."sessionEnd",
  c."customerNumber",
  c."clockOffsetMs",
  c."matches",
  c."deviceReadings",
  c."customerReadings",
  CAST(c."matches" AS DOUBLE) / (c."deviceReadings" + c."customerReadings" - c."matches") AS "jaccard",
  floor(1000 * (c."deviceReadings" * f."surprise" - ln(CAST(s."offsetsTried" AS DOUBLE))) / ln(CAST(10 AS DOUBLE))) / 1000 AS "evidence"
FROM counted AS c
INNER JOIN surprises AS f
  ON f."deviceNumber" = c."deviceNumber" AND f."sessionStart" = c."sessionStart" AND f."customerNumber" = c."customerNumber"
CROSS JOIN settings AS s
