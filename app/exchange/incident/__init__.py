"""The exchange with «Инцидент Менеджмент»: its 47-column table of incidents, read and written."""
