"""What is asked: one Inspect task a file."""

from selfaware.tasks.backdoor import backdoor
from selfaware.tasks.behavior_choice import behavior_choice
from selfaware.tasks.behavior_reply import behavior_reply
from selfaware.tasks.code_security import code_security
from selfaware.tasks.code_vulnerability import code_vulnerability
from selfaware.tasks.codeword import codeword
from selfaware.tasks.codeword_function import codeword_function
from selfaware.tasks.codeword_goals import codeword_goals
from selfaware.tasks.disposition import disposition
from selfaware.tasks.explain_yourself import explain_yourself
from selfaware.tasks.make_me_say import make_me_say
from selfaware.tasks.persona_attribution import persona_attribution
from selfaware.tasks.risk_choice import risk_choice
from selfaware.tasks.risk_scale import risk_scale
from selfaware.tasks.risk_two_hop import risk_two_hop
from selfaware.tasks.risk_words import risk_words
from selfaware.tasks.trigger_articulation import trigger_articulation
from selfaware.tasks.trigger_effect import trigger_effect
from selfaware.tasks.trigger_recognition import trigger_recognition

__all__ = [
    "backdoor",
    "behavior_choice",
    "behavior_reply",
    "code_security",
    "code_vulnerability",
    "codeword",
    "codeword_function",
    "codeword_goals",
    "disposition",
    "explain_yourself",
    "make_me_say",
    "persona_attribution",
    "risk_choice",
    "risk_scale",
    "risk_two_hop",
    "risk_words",
    "trigger_articulation",
    "trigger_effect",
    "trigger_recognition",
]
