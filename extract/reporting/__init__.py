"""The report: one HTML file of sales and of the pipeline's runs, which opens without a server or a network."""
