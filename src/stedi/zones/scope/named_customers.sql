-- Those, and everybody whom a reading names that arrived or went: what holds of them decides about it. Grain: customer.
SELECT c."customer" FROM changed_customers AS c
UNION
SELECT l."_customer" AS "customer" FROM changed_accelerometer_landing AS l
