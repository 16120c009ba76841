"""The exchange simulator: a real matching engine behind the wire protocol of each venue."""

from opensqt.simulator.faults import Fault, FaultKind
from opensqt.simulator.settings import AccountSettings, ServerRules, SimulatorSettings, SymbolSettings
from opensqt.simulator.simulator import Simulator

__all__ = ["AccountSettings", "Fault", "FaultKind", "ServerRules", "Simulator", "SimulatorSettings", "SymbolSettings"]
