-- Customers who may be chosen otherwise: touched or changed ones, those whose phone measured together with a changed device, and those who
-- were candidates of a device whose evidence may be new. Grain: customer.
SELECT c."customer" FROM touched_customers AS c
UNION
SELECT c."customer" FROM changed_customers AS c
UNION
SELECT m."customer" FROM customers_met AS m
UNION
SELECT e."customer"
FROM before_session_evidence AS e
INNER JOIN met_devices AS d ON d."serialNumber" = e."serialNumber"
