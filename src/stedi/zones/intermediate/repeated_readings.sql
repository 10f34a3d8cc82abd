-- Marks of usable accelerometer records that were delivered more than once (SPEC 2). Grain: mark.
-- Records with the same mark are nearly always equal, never surely: whoever reads this compares those few by all columns, and spares
-- the many others the comparison.
SELECT hash(a."user", a."timestamp", a."x", a."y", a."z") AS "mark"
FROM accelerometer_landing AS a
INNER JOIN customer_trusted AS c ON c."customer" = a."_customer"
WHERE a."timestamp" >= c."usableSince"
GROUP BY hash(a."user", a."timestamp", a."x", a."y", a."z")
HAVING count(*) > 1
