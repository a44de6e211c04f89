"""What evaluators give, as metrics by group: pure functions of plain data, without any of their packages."""

from tranche.adapters.classification_report import from_classification_report
from tranche.adapters.lm_eval import from_lm_eval
from tranche.adapters.metric_frame import from_metric_frame
from tranche.adapters.predictions import from_predictions

__all__ = ["from_classification_report", "from_lm_eval", "from_metric_frame", "from_predictions"]
