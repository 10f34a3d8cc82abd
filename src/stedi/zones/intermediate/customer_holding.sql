-- The record that holds, of every customer, consenting or not (SPEC 2). Grain: customer.
-- Two records glued on one line may tie on everything landed: then the one that shares less holds.
SELECT
  lower(trim(l."email", concat(' ', chr(9), chr(10), chr(13)))) AS "customer",
  l."customerName",
  l."email",
  l."phone",
  l."birthDay",
  l."serialNumber",
  l."registrationDate",
  l."lastUpdateDate",
  l."shareWithResearchAsOfDate",
  l."shareWithPublicAsOfDate",
  l."shareWithFriendsAsOfDate"
FROM customer_landing AS l
QUALIFY row_number() OVER (
  PARTITION BY lower(trim(l."email", concat(' ', chr(9), chr(10), chr(13))))
  ORDER BY
    l."lastUpdateDate" DESC NULLS LAST,
    l."registrationDate" DESC NULLS LAST,
    l."_ingested_at" DESC,
    l."_source_file" DESC,
    l."_source_line" DESC,
    CASE WHEN coalesce(l."shareWithResearchAsOfDate", 0) > 0 THEN 1 ELSE 0 END,
    l."shareWithResearchAsOfDate" DESC NULLS LAST,
    l."serialNumber" NULLS LAST,
    l."customerName" NULLS LAST,
    l."email" NULLS LAST,
    l."phone" NULLS LAST,
    l."birthDay" NULLS LAST,
    l."shareWithPublicAsOfDate" NULLS LAST,
    l."shareWithFriendsAsOfDate" NULLS LAST
) = 1
