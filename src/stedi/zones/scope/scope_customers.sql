-- The customers with whom those devices are compared: whoever may be, or was, a candidate of one of them. Grain: customer.
SELECT c."customer" FROM met_customers AS c
UNION
SELECT e."customer"
FROM before_session_evidence AS e
INNER JOIN scope_devices AS d ON d."serialNumber" = e."serialNumber"
