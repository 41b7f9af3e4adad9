"""Questions a person would ask of the sample library, each answered by one document.

They avoid the wording of the answer on purpose: a search that only matches words fails many.
Paths are relative to `lsm.sample.library_path()`, with forward slashes.
"""

_INVOICE = "studio/orders/invoice-2026-031.html"
_COMMISSION = "studio/orders/lampwright-commission.eml"
_KILN_LOG = "studio/firing/kiln-log-2026.csv"
_COURSE = "studio/classes/beginners-wheel-course.pptx"
_SURVEY = "observatory/papers/sky-brightness-survey.pdf"
_BINARY = "observatory/papers/eclipsing-binary-hennet-v3.md"
_FEASIBILITY = "observatory/solar/feasibility-report.pdf"
_INSTALLER = "observatory/solar/installer-reply.eml"

QUESTIONS: tuple[tuple[str, str], ...] = (
    # Policies and money
    (
        "until when could a buyer send things back under the old rules, and who paid the post",
        "studio/policies/returns-policy-2024.md",
    ),
    (
        "how long may someone keep an unused bowl before giving it back, as of this year",
        "studio/policies/returns-policy-2026.md",
    ),
    ("how did we arrive at 34 euros for a cup", "studio/pricing-2026.md"),
    (
        "what is our new monthly rent and for how long is it fixed",
        "studio/lease-renewal-letter.odt",
    ),
    ("by when must the restaurant pay its deposit and with which reference", _INVOICE),
    ("can the restaurant's plates be stacked and washed by machine", _COMMISSION),
    # Clay, glazes, kilns
    ("why does recycled clay tear at the rim and what do I stir in", "studio/clay-reclaim.md"),
    ("how fast must the black glaze cool to get rusty edges", "studio/glazes/harbour-black.md"),
    ("my green reduction pots turned straw yellow", "studio/glazes/low-strand-celadon.md"),
    ("little craters in the surface like orange peel", "studio/glazes/glaze-defects.md"),
    ("which test tile gave a milky blue", "studio/glazes/glaze-recipes.xlsx"),
    ("how hot was the kiln when the April firing broke off", _KILN_LOG),
    ("what are the ramp rates of the lustre program", "studio/firing/firing-schedules.toml"),
    ("a switch stuck closed and the kiln overheated", "studio/firing/kiln-maintenance.rst"),
    ("at how many ohms is the heating wire worn out", "studio/firing/element-replacement.docx"),
    (
        "code that works out electricity cost by tariff for a kiln load",
        "studio/firing/firing_cost.py",
    ),
    ("is wood ash caustic, should I rinse it first", "home/reading-ash-glazes.html"),
    # Teaching
    ("on which evening do beginners learn to attach handles", _COURSE),
    (
        "how long are finished pots of pupils kept before they are sold",
        "studio/classes/class-rules.txt",
    ),
    # The hill
    (
        "do guests pay when it is too windy to open the dome",
        "observatory/public-night-checklist.md",
    ),
    ("how often should the telescope mirror be cleaned", "observatory/mirror-washing.rst"),
    ("date of the open day after it was changed", "observatory/meetings/2026-05-14-committee.md"),
    ("when must the street lights be off in winter now", "observatory/lighting-rules-2026.md"),
    ("did fewer young seabirds get stranded after the lamps were exchanged", _SURVEY),
    ("how long does the eclipsing star take for one orbit", _BINARY),
    ("what did islanders call the belt of Orion", "observatory/visitor-handbook.epub"),
    # Sun and battery
    (
        "why did the batteries run empty in the storm",
        "observatory/solar/battery-incident-2025-11-23.md",
    ),
    ("why was the quarry not chosen as the place for the panels", _FEASIBILITY),
    ("how much longer does the manufacturer guarantee the inverter", _INSTALLER),
    ("reasons against putting up a turbine", "observatory/solar/why-not-wind.md"),
)
