"""The metrics that are known by their names: what kind of number each is, which way is better, and its bounds."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ModelName = Literal["joint", "separate"]
MODELS: Mapping[str, str] = {"joint": "one model on all groups' data", "separate": "a model for each group"}
"""What is trained, as pages say it."""


@dataclass(frozen=True)
class KnownMetric:
    """`names` beginning with the one that is listed. `kind` is proportion only where the value is a share of counted
    examples, `eval_size` of them, so that its error is binomial; what is merely bounded is other. None: no bound.
    explains: whether it is a share of variance explained."""

    names: tuple[str, ...]
    kind: str
    goal: str
    lower: float | None
    upper: float | None
    note: str
    explains: bool = False


def share(*names: str, of: str, goal: str = "maximize") -> KnownMetric:
    """Of counted examples; `eval_size` is the number of what it is a share `of`."""
    return KnownMetric(names, "proportion", goal, 0.0, 1.0, f"a share of {of}")


def score(*names: str, note: str, lower: float | None = 0.0, upper: float = 1.0) -> KnownMetric:
    return KnownMetric(names, "other", "maximize", lower, upper, note)


def error(*names: str, note: str, lower: float = 0.0, upper: float | None = None) -> KnownMetric:
    return KnownMetric(names, "other", "minimize", lower, upper, note)


EVALUATED = "the evaluated examples"
KNOWN_METRICS = (
    share("accuracy", "acc", "accuracy_score", "categorical_accuracy", "binary_accuracy", of=EVALUATED),
    share("top_k_accuracy", "top_1_accuracy", "top_5_accuracy", "top1_accuracy", "top5_accuracy", of=EVALUATED),
    share("exact_match", "em", of=EVALUATED),
    share("error_rate", "zero_one_loss", "classification_error", of=EVALUATED, goal="minimize"),
    share("recall", "sensitivity", "tpr", "true_positive_rate", "recall_score", "hit_rate", of="the positives"),
    share("specificity", "tnr", "true_negative_rate", of="the negatives"),
    share("precision", "ppv", "positive_predictive_value", "precision_score", of="the examples called positive"),
    share("npv", "negative_predictive_value", of="the examples called negative"),
    share("false_positive_rate", "fpr", of="the negatives", goal="minimize"),
    share("false_negative_rate", "fnr", of="the positives", goal="minimize"),
    score("balanced_accuracy", "balanced_accuracy_score", note="the mean of the classes' recalls"),
    score("f1", "f1_score", "f1_macro", "macro_f1", "f1_micro", "micro_f1", "f1_weighted", "weighted_f1", "dice",
          "dice_score", "dice_coefficient", note="a ratio of counts that depend on each other"),
    score("auc", "roc_auc", "auroc", "auc_roc", "roc_auc_score", "area_under_roc", note="of pairs of examples"),
    score("average_precision", "ap", "map", "mean_average_precision", "pr_auc", "auprc", "average_precision_score",
          note="an area under a curve"),
    score("iou", "jaccard", "miou", "mean_iou", "jaccard_score", "intersection_over_union", note="a ratio of areas"),
    score("ndcg", "mrr", "mean_reciprocal_rank", note="a mean over queries"),
    score("rouge", "rouge_1", "rouge1", "rouge_2", "rouge2", "rouge_l", "rougel", "rouge_lsum", "rougelsum", "meteor",
          note="from 0 to 1"),
    score("bleu", "sacrebleu", "corpus_bleu", note="from 0 to 100, as sacreBLEU prints it", upper=100.0),
    score("chrf", "chrf++", "chrf2", note="from 0 to 100, as sacreBLEU prints it", upper=100.0),
    score("correlation", "pearson", "pearsonr", "pearson_correlation", "spearman", "spearmanr", "spearman_correlation",
          "kendall", "kendall_tau", note="from −1 to 1", lower=-1.0),
    score("mcc", "matthews_corrcoef", "matthews_correlation", "kappa", "cohen_kappa", "cohens_kappa",
          note="from −1 to 1", lower=-1.0),
    KnownMetric(("r2", "r_squared", "r2_score", "explained_variance"), "other", "maximize", None, 1.0,
                "without a lower bound; of a model for each group unless said otherwise", explains=True),
    error("wer", "word_error_rate", "cer", "character_error_rate", "ter", "translation_error_rate", "der",
          note="insertions may carry it above 1; fractions or percent alike"),
    error("perplexity", "ppl", note="at least 1", lower=1.0),
    error("log_loss", "cross_entropy", "logloss", "cross_entropy_loss", "bits_per_byte", "bpb", "bits_per_character",
          "bpc", note="nats or bits per example or sign"),
    error("brier", "brier_score", "brier_score_loss", note="of two classes; of more say upper 2", upper=1.0),
    error("calibration_error", "ece", "expected_calibration_error", "hamming_loss", note="from 0 to 1", upper=1.0),
    error("eer", "equal_error_rate", note="where two error rates meet", upper=1.0),
    error("mse", "mean_squared_error", "rmse", "root_mean_squared_error", "mae", "mean_absolute_error",
          "median_absolute_error", note="in the unit of what is predicted"),
    error("mape", "mean_absolute_percentage_error", "smape", note="fractions or percent alike"),
)  # fmt: skip
BY_NAME = {name: metric for metric in KNOWN_METRICS for name in metric.names}


def known_metric(name: str) -> KnownMetric | None:
    """The metric of that name, in any case, with blanks, hyphens and underscores alike."""
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    return BY_NAME.get(re.sub(r"[\s_-]+", "_", plain))


def usual_model(name: str, goal: str, lower: float | None) -> ModelName:
    """What is trained where a project does not say it: one model, but for shares of variance explained, known by name
    or by being open below. On such scores one response planned no better than own counts did (docs/evidence.md)."""
    known = known_metric(name)
    is_open = goal == "maximize" and lower is None
    return "separate" if is_open or (known is not None and known.explains) else "joint"
