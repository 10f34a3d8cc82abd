-- Devices with evidence that may be new: changed ones, and those that measured together with a touched customer's phone. Grain: device.
SELECT d."serialNumber" FROM changed_devices AS d
UNION
SELECT m."serialNumber" FROM devices_met AS m
