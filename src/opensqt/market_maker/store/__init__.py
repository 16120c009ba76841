"""The market maker's database: intents before they are sent, fills before they are acted on."""
