-- When the devices in scope measured, before and after. Grain: instant.
SELECT a."sensorReadingTime" AS "instant" FROM steps_after AS a
UNION
SELECT b."sensorReadingTime" AS "instant" FROM steps_before AS b
