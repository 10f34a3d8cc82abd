-- The pairs of session and customer that look alike enough to be candidates (SPEC 5): what decides whose device it is.
SELECT
  e."serialNumber",
  e."sessionStart",
  e."sessionEnd",
  e."customer",
  e."matches",
  e."deviceReadings",
  e."customerReadings",
  e."jaccard"
FROM pair_evidence AS e
CROSS JOIN settings AS s
WHERE e."jaccard" >= s."minJaccard"
