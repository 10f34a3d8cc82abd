-- The record that holds, of each customer who consents to research (SPEC 2), and since when readings may be used (SPEC 3).
SELECT
  h."customer",
  h."customerName",
  h."email",
  h."phone",
  h."birthDay",
  h."serialNumber",
  h."registrationDate",
  h."lastUpdateDate",
  h."shareWithResearchAsOfDate",
  h."shareWithPublicAsOfDate",
  h."shareWithFriendsAsOfDate",
  CASE
    WHEN s."usableFrom" = 'consent' THEN h."shareWithResearchAsOfDate"
    ELSE CAST(-9223372036854775807 AS BIGINT)
  END AS "usableSince"
FROM customer_holding AS h
CROSS JOIN settings AS s
WHERE h."shareWithResearchAsOfDate" > 0
