-- Marks of step trainer records, of devices with an assigned session, that were delivered more than once. As repeated_readings. Grain: mark.
SELECT hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject") AS "mark"
FROM step_trainer_landing AS l
WHERE EXISTS (
  SELECT 1 FROM device_sessions AS d WHERE d."serialNumber" = l."serialNumber" AND d."status" = 'assigned'
)
GROUP BY hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
HAVING count(*) > 1
