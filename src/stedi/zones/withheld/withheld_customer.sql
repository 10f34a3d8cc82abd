-- Customer records that did not make it into customer_trusted, by reason. Grain: reason.
SELECT 'superseded' AS "reason", (SELECT count(*) FROM customer_landing) - count(*) AS "records"
FROM customer_holding
UNION ALL
SELECT 'no consent' AS "reason", count(*) AS "records"
FROM customer_holding AS h
WHERE NOT coalesce(h."shareWithResearchAsOfDate", 0) > 0
