"""Names of invented people, for `customerName` and the emails made of it."""

# fmt: off
FIRST_NAMES = (
    "Aaliyah", "Amara", "Andre", "Anika", "Ben", "Bobby", "Carmen", "Chen", "Craig", "Danai", "David",
    "Dimitri", "Edward", "Elena", "Farid", "Frank", "Gail", "Grace", "Hana", "Henrik", "Imani", "Ines",
    "Jacob", "Jaya", "Jerry", "John", "Kwame", "Larry", "Leila", "Lyn", "Manoj", "Marta", "Neeraj", "Noor",
    "Olga", "Pedro", "Ravi", "Rosa", "Sanjay", "Santosh", "Sarah", "Senthil", "Spencer", "Suresh", "Tariq",
    "Travis", "Trevor", "Yuki",
)
LAST_NAMES = (
    "Abram", "Aguilar", "Anandh", "Aristotle", "Bergman", "Bose", "Chandra", "Clark", "Clayton", "Davis",
    "Doshi", "Eriksen", "Fibonacci", "Garcia", "Habschied", "Hansen", "Harris", "Huey", "Ito", "Jackson",
    "Jones", "Khatib", "Kimani", "Lincoln", "Lopez", "Mitra", "Mwangi", "Novak", "Okafor", "Olson",
    "Petrov", "Phillips", "Quinn", "Rossi", "Sato", "Silva", "Smith", "Spencer", "Staples", "Tanaka",
    "Ueda", "Varga", "Weber", "Wu", "Zhang",
)
# fmt: on
