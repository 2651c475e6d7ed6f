"""The data doctor: describes every data file and doubts what does not fit the model.

Wrong calibration data gives a wrong model with a reassuring report, because a quantizer that looks at nothing else
finds its own choices good. So a file is compared with what the float model itself says of its inputs: the statistics
that BatchNormalization kept from training, the biases of its layers, and what comes out.
"""

from edgeq.data.dead import dead_layers
from edgeq.data.examine import DataReport, examine_calibration, examine_inputs
from edgeq.data.expectation import Expectation, expectation_of
from edgeq.data.ranges import Range, input_ranges

__all__ = [
    "DataReport",
    "Expectation",
    "Range",
    "dead_layers",
    "examine_calibration",
    "examine_inputs",
    "expectation_of",
    "input_ranges",
]
