-- Customers whose usable readings are not what they were, or are to be compared with devices over another window. Grain: customer.
SELECT m."customer" FROM moved_customers AS m
UNION
SELECT a."customer" FROM added_accelerometer_trusted AS a
UNION
SELECT r."customer" FROM removed_accelerometer_trusted AS r
