-- The pairs of session and customer that look alike enough to be candidates (SPEC 5), or to stand in a candidate's way: what decides
-- whose device it is.
SELECT
  d."serialNumber",
  e."sessionStart",
  e."sessionEnd",
  c."customer",
  e."matches",
  e."deviceReadings",
  e."customerReadings",
  e."jaccard",
  e."clockOffsetMs",
  e."evidence"
FROM pair_evidence AS e
INNER JOIN device_numbers AS d ON d."deviceNumber" = e."deviceNumber"
INNER JOIN customer_numbers AS c ON c."customerNumber" = e."customerNumber"
CROSS JOIN settings AS s
WHERE e."jaccard" >= s."rowJaccard" OR e."evidence" > s."rowEvidence"
