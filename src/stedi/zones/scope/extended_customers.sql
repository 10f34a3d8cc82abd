-- Touched customers of whom only the new readings were judged. Grain: customer.
SELECT t."customer"
FROM touched_customers AS t
WHERE NOT EXISTS (SELECT 1 FROM moved_customers AS m WHERE m."customer" = t."customer")
