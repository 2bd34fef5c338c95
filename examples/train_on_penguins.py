"""Train a network on the shipped penguins: a CSV file, its preprocessing, training, and predictions of new rows."""

import tempfile
from pathlib import Path

from tinygrad_mlp import nn
from tinygrad_mlp.check import gradcheck
from tinygrad_mlp.data import Preprocessor, Table, example_file, read_csv, train_test_split
from tinygrad_mlp.export import load_model, save_model
from tinygrad_mlp.train import evaluate, fit


def main() -> None:
    # 344 penguins of three species, with missing values and columns of text.
    table = read_csv(example_file("penguins.csv")).without("year")
    train, test = train_test_split(table, test_size=0.25, stratify=table["species"].cells)

    # Means, scales and categories are learnt from the training rows only.
    preprocessor = Preprocessor.fit(train, "species")
    X, y = preprocessor.transform(train), preprocessor.encode_target(train)
    print(f"{len(X)} rows; inputs: {', '.join(preprocessor.input_names)}")

    model = nn.MLP([preprocessor.n_inputs, 8, preprocessor.n_outputs], "relu", "softmax", rng=0)
    print(model.summary())

    # A fifth of the rows decides when to stop; the best parameters are kept.
    history = fit(model, X, y, epochs=200, batch_size=32, lr=0.01, validation=0.2, patience=20)
    print(history)

    score = evaluate(model, preprocessor.transform(test), preprocessor.encode_target(test))
    print(f"test rows: loss {score.loss:.3f}, {score.accuracy:.1%} right")

    # The gradient that trained it, against differences of the loss.
    print(gradcheck(lambda: model.loss(X, y), model))

    # The file holds the network and its preprocessing, so it predicts tables.
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "penguins.npz", model, preprocessor)
        saved = load_model(Path(folder) / "penguins.npz")
    new = Table.from_columns(
        {
            "island": ["Dream", "Biscoe"],
            "bill_length_mm": [47.5, None],
            "bill_depth_mm": [18.3, 14.1],
            "flipper_length_mm": [195, 222],
            "body_mass_g": [3700, 5400],
            "sex": ["female", None],
        }
    )
    probabilities = saved.model(saved.preprocessor.transform(new))
    for species, row in zip(
        saved.preprocessor.decode_target(probabilities.numpy()), probabilities.numpy(), strict=True
    ):
        print(f"a new penguin: {species}, with probability {row.max():.2f}")


if __name__ == "__main__":
    main()
