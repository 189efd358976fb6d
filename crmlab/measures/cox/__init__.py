"""Cox's proportional hazards: what goes along with leaving sooner, all else equal, and how sure that is."""

from crmlab.measures.cox.fitting import Cox, baseline, coefficients, fit, hazards, log_hazards
from crmlab.measures.cox.halves import proportionality

__all__ = ["Cox", "baseline", "coefficients", "fit", "hazards", "log_hazards", "proportionality"]
