-- The devices in scope, and those that compete with them for a customer: a choice is mutual or not with regard to them. Grain: device.
SELECT d."serialNumber" FROM scope_devices AS d
UNION
SELECT e."serialNumber"
FROM after_session_evidence AS e
INNER JOIN scope_customers AS c ON c."customer" = e."customer"
