-- Customers whose old readings must be judged anew, because consent (or that we know them at all) changed, or because readings of theirs
-- went. All others only get new readings. Grain: customer.
SELECT c."customer"
FROM changed_customers AS c
LEFT JOIN holding_before AS p ON p."customer" = c."customer"
LEFT JOIN holding_after AS n ON n."customer" = c."customer"
LEFT JOIN before_customer_trusted AS b ON b."customer" = c."customer"
LEFT JOIN after_customer_trusted AS a ON a."customer" = c."customer"
WHERE b."usableSince" IS DISTINCT FROM a."usableSince" OR (p."customer" IS NULL) <> (n."customer" IS NULL)
UNION
SELECT l."_customer" AS "customer" FROM gone_accelerometer_landing AS l
