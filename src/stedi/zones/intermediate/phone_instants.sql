-- The instants at which a consenting customer's phone took a usable reading (SPEC 5). Grain: customer, instant.
-- "tick" is the instant in units of clock tolerance + 1: instants that match lie in the same tick or in neighbours.
SELECT DISTINCT
  a."customer",
  a."timestamp" AS "instant",
  a."timestamp" // (s."clockToleranceMs" + 1) AS "tick",
  a."timestamp" // s."hourMs" AS "hour"
FROM accelerometer_trusted AS a
CROSS JOIN settings AS s
