"""What the pages of the book share: how figures look and move, numbers in the text, tables."""

from moelib._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "style": "LINESTYLES MARKERS PALETTE expert_color expert_style method_style panel_labels "
        "use_style",
        "sliders": "Explore explore",
        "numbers": "listed low_to_high number plus_minus put put_ends with_interval",
        "intervals": "bootstrap exponent mean_interval share_interval",
        "layout": "panel panels set_ticks shared_legend",
        "plots": "draw_arrows draw_curves draw_dots draw_grid draw_guide draw_intervals "
        "draw_method_curves draw_plane",
        "tables": "show_table",
        "messages": "heard refused",
        "pictures": "small",
        "figures.learning_gates": "draw_convexity draw_rates draw_three_samples draw_wrong_experts "
        "explore_one_input",
        "figures.deriving_l4": "draw_cures draw_dual draw_ends draw_steepness explore_turn",
        "figures.landscape": "draw_disturbed draw_seats draw_stray explore_map",
        "figures.learning_experts": "draw_collapse draw_links draw_methods draw_seconds draw_signs "
        "draw_streams draw_troubles draw_weights explore_learned",
        "figures.hermite_stein_scores": "draw_hessian draw_patterns draw_price explore_taylor",
        "figures.label_transforms": "draw_label_correlations draw_label_powers draw_link_family "
        "draw_seen_in_labels explore_transforms",
        "figures.likelihood_and_em": "draw_climbs draw_noise draw_peaks draw_speeds draw_two_cuts "
        "explore_basins show_verdicts show_wins",
        "figures.gated_model": "draw_leaders draw_marginals draw_road explore_leaders",
        "figures.gates_in_real_networks": "draw_counts draw_hard_limit draw_house draw_role_swap "
        "draw_routing draw_winner explore_routing",
        "figures.many_experts": "draw_frontier draw_solutions explore_frontier show_frontier",
        "figures.noise_that_helps": "draw_held_noise draw_ingredients draw_ways_out",
        "figures.map_of_failure": "METHOD_NAMES draw_board draw_borders draw_line draw_waits "
        "explore_plane show_rates show_settings",
        "figures.least_squares": "draw_failure draw_scatter draw_slices draw_spectra draw_success "
        "draw_swap draw_torus explore_torus",
        "figures.sample_complexity": "draw_looseness draw_sample_exponents explore_accuracy",
        "figures.whole_pipeline": "draw_correlation draw_coverage draw_many "
        "draw_stages explore_stages show_choice show_rivals",
        "figures.heavy_tails": "draw_flattening draw_jump draw_longest draw_quantiles draw_tail "
        "explore_levels show_ratios show_worth",
        "figures.best_possible": "draw_best_gap draw_best_ratio draw_hodges draw_one_step "
        "explore_best_gap",
    },
)
