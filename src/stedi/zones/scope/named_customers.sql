-- Those, and everybody whom a reading names that arrived or went: what holds of them decides about it. Grain: customer.
SELECT c."customer" FROM changed_customers AS c
UNION
SELECT lower(trim(l."user", concat(' ', chr(9), chr(10), chr(13)))) AS "customer" FROM changed_accelerometer_landing AS l
