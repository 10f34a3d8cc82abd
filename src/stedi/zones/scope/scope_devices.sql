-- The devices whose sessions are computed anew: those with new evidence, and all that compete with them for a customer. Grain: device.
SELECT d."serialNumber" FROM met_devices AS d
UNION
SELECT e."serialNumber"
FROM before_session_evidence AS e
INNER JOIN met_customers AS c ON c."customer" = e."customer"
