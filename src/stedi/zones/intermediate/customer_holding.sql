-- The record that holds, of every customer, consenting or not (SPEC 2). Grain: customer.
-- Two records glued on one line may tie on everything landed: then the one that shares less holds. The rest only makes the order total.
SELECT
  l."_customer" AS "customer",
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
  PARTITION BY l."_customer"
  ORDER BY
    l."lastUpdateDate" DESC NULLS LAST,
    l."registrationDate" DESC NULLS LAST,
    l."_ingested_at" DESC,
    l."_source_file" DESC,
    l."_source_line" DESC,
    CASE WHEN coalesce(l."shareWithResearchAsOfDate", 0) > 0 THEN 1 ELSE 0 END,
    l."shareWithResearchAsOfDate" DESC NULLS LAST,
    CASE WHEN coalesce(l."shareWithPublicAsOfDate", 0) > 0 THEN 1 ELSE 0 END,
    l."shareWithPublicAsOfDate" DESC NULLS LAST,
    CASE WHEN coalesce(l."shareWithFriendsAsOfDate", 0) > 0 THEN 1 ELSE 0 END,
    l."shareWithFriendsAsOfDate" DESC NULLS LAST,
    l."customerName" DESC NULLS LAST,
    l."email" DESC NULLS LAST,
    l."phone" DESC NULLS LAST,
    l."birthDay" DESC NULLS LAST,
    l."serialNumber" DESC NULLS LAST
) = 1
