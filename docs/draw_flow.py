"""Draw the flow of the bearing page: python docs/draw_flow.py > docs/_static/bearing_flow.svg."""

BANDS = [
    (
        "per window, once each",
        [
            ("raw window", "2 × 2560", "g"),
            ("AccelRotation45", "3 × 2560", "g"),
            ("WelchSpectrogram", "3 × 336 × 25", "log₁₀ g²/Hz"),
            ("FrequencyMaxPool", "3 × 84 × 25", "log₁₀ g²/Hz"),
        ],
    ),
    (
        "per sequence of 32 windows",
        [
            ("RunSequences", "n × 32 × 3 × 84 × 25", "log₁₀ g²/Hz"),
            ("CNN + LSTM", "n × 3", "RUL index, 1 at failure"),
            ("inverse, mean", "n", "RUL in s"),
        ],
    ),
    (
        "per run",
        [
            ("ema", "n", "smoothed RUL in s"),
            ("MaintenanceRule", "1", "replacement time in s"),
        ],
    ),
]
WIDTH, HEIGHT, GAP, LEFT, ROW = 180, 76, 26, 24, 128


def box(x, y, name, shape, unit):
    """Return one step: what it is, the shape that leaves it, its unit."""
    middle = x + WIDTH / 2
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<text class="name" x="{middle}" y="{y + 24}">{name}</text>'
        f'<text class="shape" x="{middle}" y="{y + 46}">{shape}</text>'
        f'<text class="unit" x="{middle}" y="{y + 64}">{unit}</text>'
    )


def arrow(path):
    """Return an arrow along an SVG path."""
    return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>'


def draw():
    """Return the picture as SVG text."""
    width = 2 * LEFT + 4 * WIDTH + 3 * GAP
    height = ROW * len(BANDS) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>From raw vibration to a maintenance decision</title>",
        "<style>text{font-family:sans-serif;text-anchor:middle;fill:#1b2733}"
        ".band{font-size:12px;text-anchor:start;fill:#5a6b7b}.name{font-size:15px;font-weight:600}"
        ".shape{font-size:13px;font-family:monospace}.unit{font-size:12px;fill:#5a6b7b}"
        ".box{fill:#eef4fa;stroke:#3572a5}.arrow{fill:none;stroke:#3572a5;stroke-width:1.5}"
        "</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#3572a5"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>',
    ]
    for row, (band, steps) in enumerate(BANDS):
        y = 36 + row * ROW
        x_band = LEFT + WIDTH / 2 + 12 if row else LEFT
        parts.append(f'<text class="band" x="{x_band}" y="{y - 9}">{band}</text>')
        for column, step in enumerate(steps):
            x = LEFT + column * (WIDTH + GAP)
            parts.append(box(x, y, *step))
            if column:
                parts.append(arrow(f"M{x - GAP} {y + HEIGHT / 2} H{x - 3}"))
        if row:
            n_above = len(BANDS[row - 1][1])
            x_above = LEFT + (n_above - 1) * (WIDTH + GAP) + WIDTH / 2
            y_above = y - ROW + HEIGHT
            path = f"M{x_above} {y_above} V{y - 24} H{LEFT + WIDTH / 2} V{y - 3}"
            parts.append(arrow(path))
    return "\n".join([*parts, "</svg>"])


if __name__ == "__main__":
    print(draw())
